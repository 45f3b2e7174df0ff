package com.acme.beans;

import com.acme.run.Pace;
import java.lang.management.ManagementFactory;
import javax.management.MBeanServer;
import javax.management.ObjectName;

/** Registers an MBean for each connection and does not take it back when that ends. */
public class Beans {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        MBeanServer server = ManagementFactory.getPlatformMBeanServer();
        int number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(250); i++) {
                ObjectName name = new ObjectName("com.acme:type=Link,id=" + number++);
                server.registerMBean(new Link(), name);
                if (pace.isFixed()) {
                    server.unregisterMBean(name);
                }
            }
            pace.endOfStep(step);
        }
    }

    public interface LinkMBean {
        int getSent();
    }

    public static class Link implements LinkMBean {
        private final byte[] window = new byte[1800];

        @Override
        public int getSent() {
            return window[0];
        }
    }
}
