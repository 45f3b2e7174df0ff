package it.unimi.dsi.fastutil.longs;

import java.util.Arrays;

/** As fastutil's map of this name is built: keys and values in two arrays, open addressing. */
public class Long2ObjectOpenHashMap<V> {
    protected transient long[] key = new long[16];
    protected transient V[] value = newValues(16);
    protected int size;

    @SuppressWarnings("unchecked")
    private V[] newValues(int count) {
        return (V[]) new Object[count];
    }

    public void put(long number, V element) {
        if (2 * (size + 1) > key.length) {
            long[] keys = key;
            V[] values = value;
            key = new long[2 * keys.length];
            value = newValues(2 * values.length);
            for (int i = 0; i < keys.length; i++) {
                if (values[i] != null) {
                    int at = slot(keys[i]);
                    key[at] = keys[i];
                    value[at] = values[i];
                }
            }
        }
        int at = slot(number);
        size += value[at] == null ? 1 : 0;
        key[at] = number;
        value[at] = element;
    }

    public void remove(long number) {
        int at = slot(number);
        size -= value[at] == null ? 0 : 1;
        value[at] = null;
        if (size == 0) {
            Arrays.fill(key, 0);
        }
    }

    private int slot(long number) {
        int at = (int) (number * 0x9E3779B97F4A7C15L >>> 33) & key.length - 1;
        while (value[at] != null && key[at] != number) {
            at = at + 1 & key.length - 1;
        }
        return at;
    }
}
