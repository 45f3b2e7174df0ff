package plugin;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A class of a plug-in that logs. */
public class Logs {
    public static final Logger LOG = LoggerFactory.getLogger("plugin");
}
