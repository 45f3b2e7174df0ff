package org.apache.spark.sql;

public class SparkSession {
    private final byte[] sessionState = new byte[100];
}
