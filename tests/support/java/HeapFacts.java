import java.io.File;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.graalvm.visualvm.lib.jfluid.heap.Heap;
import org.graalvm.visualvm.lib.jfluid.heap.HeapFactory;
import org.graalvm.visualvm.lib.jfluid.heap.Instance;
import org.graalvm.visualvm.lib.jfluid.heap.JavaClass;

/** What VisualVM's heap library says of a dump: classes, and the objects that retain most. */
public final class HeapFacts {
    public static void main(String[] arguments) throws Exception {
        Heap heap = HeapFactory.createHeap(new File(arguments[0]));
        int most = Integer.parseInt(arguments[1]);
        for (Object each : heap.getAllClasses()) {
            JavaClass c = (JavaClass) each;
            System.out.println("class\t" + c.getName() + "\t" + c.getInstancesCount() + "\t" + c.getAllInstancesSize());
        }
        List<Instance> biggest = heap.getBiggestObjectsByRetainedSize(most);
        for (Instance one : biggest) {
            int steps = 0;
            for (Instance at = one; at != null && !at.isGCRoot(); at = at.getNearestGCRootPointer()) {
                steps++;
            }
            System.out.println("object\t" + one.getInstanceId() + "\t" + one.getJavaClass().getName() + "\t"
                + one.getSize() + "\t" + one.getRetainedSize() + "\t" + steps);
        }
    }
}
