package jep;

public final class MainInterpreter {
    private static MainInterpreter instance = null;
    private final byte[] state = new byte[16];
}
