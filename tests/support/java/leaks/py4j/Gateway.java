package py4j;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

public class Gateway {
    private final Map<String, Object> bindings = new ConcurrentHashMap<>();

    public void putObject(String id, Object object) {
        bindings.put(id, object);
    }
}
