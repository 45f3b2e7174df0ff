/* A program that hosts a JVM as libhdfs does: it loads libjvm and creates a JVM in the middle of its life.
 *
 *     host MODE LIBJVM CLASSPATH CLASS ARGUMENT [JVM OPTION...]
 *
 * run      create the JVM and run CLASS.main(ARGUMENT) in the main thread
 * sigquit  the same, with a SIGQUIT handler of the program's own, installed after the JVM's
 * sigpipe  the same, with SIGPIPE set back to its default after the JVM was created
 * fork     create the JVM, then fork a child: it prints its pid, "ready", and waits; the parent waits for it
 * mapped   only load libjvm, create nothing, print "ready" and wait
 */
#include <dlfcn.h>
#include <jni.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_sigquit(int number) {
    (void)number;
    static const char text[] = "the program's own SIGQUIT handler ran\n";
    if (write(1, text, sizeof text - 1) < 0) _exit(3);
}

static int wait_for_end(void) {
    char byte;
    puts("ready");
    fflush(stdout);
    while (read(0, &byte, 1) > 0) {
    }
    return 0;
}

int main(int count, char **words) {
    if (count < 6) return 2;
    const char *mode = words[1];
    void *library = dlopen(words[2], RTLD_NOW | RTLD_GLOBAL);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    if (!strcmp(mode, "mapped")) return wait_for_end();

    JavaVMOption options[32];
    int used = 0;
    char classpath[4096];
    snprintf(classpath, sizeof classpath, "-Djava.class.path=%s", words[3]);
    options[used++].optionString = classpath;
    for (int place = 6; place < count && used < 32; place++) options[used++].optionString = words[place];
    JavaVMInitArgs arguments = {JNI_VERSION_1_6, used, options, JNI_FALSE};
    jint (*create)(JavaVM **, void **, void *) = dlsym(library, "JNI_CreateJavaVM");
    JavaVM *vm;
    JNIEnv *env;
    if (!create || create(&vm, (void **)&env, &arguments) != JNI_OK) return 1;

    if (!strcmp(mode, "sigquit")) signal(SIGQUIT, on_sigquit);
    if (!strcmp(mode, "sigpipe")) signal(SIGPIPE, SIG_DFL);
    if (!strcmp(mode, "fork")) {
        pid_t child = fork();
        if (child == 0) {
            printf("%d\n", getpid());
            return wait_for_end();
        }
        return waitpid(child, NULL, 0) == child ? 0 : 1;
    }
    jclass kind = (*env)->FindClass(env, words[4]);
    jmethodID entry = kind ? (*env)->GetStaticMethodID(env, kind, "main", "([Ljava/lang/String;)V") : NULL;
    if (!entry) {
        (*env)->ExceptionDescribe(env);
        return 1;
    }
    jobjectArray given = (*env)->NewObjectArray(env, 1, (*env)->FindClass(env, "java/lang/String"), NULL);
    (*env)->SetObjectArrayElement(env, given, 0, (*env)->NewStringUTF(env, words[5]));
    (*env)->CallStaticVoidMethod(env, kind, entry, given);
    if ((*env)->ExceptionCheck(env)) (*env)->ExceptionDescribe(env);
    return 0;
}
