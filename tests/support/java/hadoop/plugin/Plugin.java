package plugin;

/** Loaded again by each loader of its own. */
public class Plugin {
    public static final byte[] STATE = new byte[256];
}
