package org.apache.hadoop.fs;

import java.lang.ref.WeakReference;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.conf.Configured;
import org.apache.hadoop.security.UserGroupInformation;

/** The fields that signatures look at, under the names they have in Hadoop. */
public abstract class FileSystem extends Configured {
    public static final Cache CACHE = new Cache();
    public static final Map<String, Statistics> statisticsTable = new HashMap<>();

    public static class Cache {
        private final Map<Key, FileSystem> map = new HashMap<>();

        public void put(String scheme, String authority, UserGroupInformation ugi, long unique, FileSystem made) {
            made.key = new Key(scheme, authority, ugi, unique);
            map.put(made.key, made);
        }

        static class Key {
            final String scheme;
            final String authority;
            final UserGroupInformation ugi;
            final long unique;

            Key(String scheme, String authority, UserGroupInformation ugi, long unique) {
                this.scheme = scheme;
                this.authority = authority;
                this.ugi = ugi;
                this.unique = unique;
            }
        }
    }

    public static class Statistics {
        private final Set<StatisticsDataReference> allData = new HashSet<>();

        public void read(Thread thread) {
            allData.add(new StatisticsDataReference(thread));
        }

        static class StatisticsData {
            private volatile long bytesRead;
        }

        static class StatisticsDataReference extends WeakReference<Thread> {
            private final StatisticsData data = new StatisticsData();

            StatisticsDataReference(Thread thread) {
                super(thread);
            }
        }
    }

    private Cache.Key key;
    private final Set<Path> deleteOnExit = new TreeSet<>();

    protected FileSystem(Configuration conf) {
        super(conf);
    }

    public void deleteOnExit(Path path) {
        deleteOnExit.add(path);
    }
}
