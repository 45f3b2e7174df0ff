package org.apache.hadoop.security;

import java.util.Date;
import java.io.File;
import javax.security.auth.Subject;
import javax.security.auth.kerberos.KerberosPrincipal;
import javax.security.auth.kerberos.KerberosTicket;
import javax.security.auth.kerberos.KeyTab;

/** As Hadoop's: equal to another one only where both share a Subject. */
public class UserGroupInformation {
    public enum AuthenticationMethod { SIMPLE, KERBEROS, PROXY }

    public static class RealUser {
        private final UserGroupInformation realUser;

        RealUser(UserGroupInformation realUser) {
            this.realUser = realUser;
        }
    }

    private final Subject subject = new Subject();
    private final User user;

    public UserGroupInformation(String name, AuthenticationMethod method) {
        user = new User(name, method);
        if (method == AuthenticationMethod.PROXY) {
            subject.getPublicCredentials().add(new RealUser(this));
        }
    }

    public static UserGroupInformation fromTicketCache(String name) {
        UserGroupInformation made = new UserGroupInformation(name, AuthenticationMethod.KERBEROS);
        KerberosPrincipal client = new KerberosPrincipal(name);
        KerberosPrincipal server = new KerberosPrincipal("krbtgt/EXAMPLE.COM@EXAMPLE.COM");
        Date now = new Date(1_700_000_000_000L), end = new Date(4_000_000_000_000L);
        made.subject.getPrivateCredentials().add(
            new KerberosTicket(new byte[8], client, server, new byte[8], 1, null, now, now, end, null, null));
        return made;
    }

    public static UserGroupInformation fromKeytab(String name) {
        UserGroupInformation made = new UserGroupInformation(name, AuthenticationMethod.KERBEROS);
        made.subject.getPrivateCredentials().add(
            KeyTab.getInstance(new KerberosPrincipal(name), new File("/nowhere.keytab")));
        return made;
    }
}
