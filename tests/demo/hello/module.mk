# A jar, built by ant: guests like this one carry Java, and the build has to cope with its tools.
targets += hello/hello.jar

hello/hello.jar: rule = ant
hello/hello.jar: dir = hello
hello/hello.jar: inputs = hello/build.xml hello/src/Hello.java
