package scala.collection.mutable;

import java.util.Arrays;

/** Scala 2.12's flat hash table, as far as its size goes. */
public class HashSet {
    private transient Object[] table = new Object[16];
    private transient int tableSize = 0;

    public void add(Object element) {
        if (tableSize == table.length) {
            table = Arrays.copyOf(table, 2 * table.length);
        }
        table[tableSize++] = element;
    }
}
