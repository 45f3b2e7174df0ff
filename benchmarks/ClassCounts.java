import java.io.File;
import org.graalvm.visualvm.lib.jfluid.heap.Heap;
import org.graalvm.visualvm.lib.jfluid.heap.HeapFactory;
import org.graalvm.visualvm.lib.jfluid.heap.JavaClass;

/** VisualVM's heap library: instances and bytes of each class; with "retained" the largest retained size as well. */
public final class ClassCounts {
    public static void main(String[] arguments) throws Exception {
        Heap heap = HeapFactory.createHeap(new File(arguments[0]));
        for (Object each : heap.getAllClasses()) {
            JavaClass c = (JavaClass) each;
            System.out.println(c.getName() + "\t" + c.getInstancesCount() + "\t" + c.getAllInstancesSize());
        }
        if (arguments.length > 1) {
            System.out.println(heap.getBiggestObjectsByRetainedSize(1));
        }
    }
}
