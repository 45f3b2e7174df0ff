package alluxio.client.file;

public class FileSystemContext {
    private final byte[] mId = new byte[16];
}
