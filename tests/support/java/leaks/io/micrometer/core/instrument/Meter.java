package io.micrometer.core.instrument;

public interface Meter {
    class Id {
        private final String name;

        public Id(String name) {
            this.name = name;
        }
    }
}
