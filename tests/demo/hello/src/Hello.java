/** What a guest with a Java machine would run; this one only carries it. */
public final class Hello {
    private Hello() {
    }

    public static void main(String[] arguments) {
        System.out.println("Hello from a jar" + (arguments.length > 0 ? ": " + arguments[0] : ""));
    }
}
