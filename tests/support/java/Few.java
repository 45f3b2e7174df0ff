/** Many objects of few classes: since JDK 22 they are in a dump before its header. */
public class Few {
    static final byte[][] KEPT = new byte[4000][5000];

    public static void main(String[] arguments) throws Exception {
        System.out.println("ready");
        while (System.in.read() >= 0) {}
    }
}
