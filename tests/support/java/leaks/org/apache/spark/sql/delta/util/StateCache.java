package org.apache.spark.sql.delta.util;

import org.apache.spark.sql.SparkSession;

public interface StateCache {
    class CachedDS {
        private final Dataset ds = new Dataset();
    }

    class Dataset {
        private final SparkSession sparkSession = new SparkSession();
    }
}
