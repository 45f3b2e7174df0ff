package com.google.common.cache;

import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.ReentrantLock;

/** Built as Guava's cache is: segments that are locks, entries, and a reference in each to its value. */
public class LocalCache<K, V> {
    private final Segment<K, V>[] segments;

    @SuppressWarnings("unchecked")
    public LocalCache() {
        segments = new Segment[4];
        for (int i = 0; i < segments.length; i++) {
            segments[i] = new Segment<>();
        }
    }

    public V get(K key) {
        int hash = hash(key);
        StrongEntry<K, V> entry = segments[hash >>> 30].table.get(hash & 2047);
        while (entry != null && !entry.key.equals(key)) {
            entry = entry.next;
        }
        return entry == null ? null : entry.valueReference.referent;
    }

    public void put(K key, V value) {
        int hash = hash(key);
        AtomicReferenceArray<StrongEntry<K, V>> table = segments[hash >>> 30].table;
        table.set(hash & 2047, new StrongEntry<>(key, table.get(hash & 2047), value));
    }

    private static int hash(Object key) {
        return key.hashCode() * 0x9E3779B9;
    }

    private static final class Segment<K, V> extends ReentrantLock {
        final AtomicReferenceArray<StrongEntry<K, V>> table = new AtomicReferenceArray<>(2048);
    }

    private static final class StrongEntry<K, V> {
        final K key;
        final StrongEntry<K, V> next;
        final StrongValueReference<V> valueReference;

        StrongEntry(K key, StrongEntry<K, V> next, V value) {
            this.key = key;
            this.next = next;
            valueReference = new StrongValueReference<>(value);
        }
    }

    private static final class StrongValueReference<V> {
        final V referent;

        StrongValueReference(V referent) {
            this.referent = referent;
        }
    }
}
