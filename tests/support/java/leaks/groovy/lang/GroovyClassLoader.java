package groovy.lang;

import java.net.URL;
import java.net.URLClassLoader;

public class GroovyClassLoader extends URLClassLoader {
    public GroovyClassLoader() {
        super(new URL[0], null);
    }

    public static class InnerLoader extends GroovyClassLoader {
        private final long timeStamp = 1;
    }
}
