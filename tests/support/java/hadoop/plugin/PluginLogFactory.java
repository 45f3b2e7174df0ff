package plugin;

import org.apache.commons.logging.impl.LogFactoryImpl;

/** A log factory that a plug-in brings along. */
public class PluginLogFactory extends LogFactoryImpl {}
