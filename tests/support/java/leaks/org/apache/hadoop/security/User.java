package org.apache.hadoop.security;

class User {
    private final String fullName;
    private final UserGroupInformation.AuthenticationMethod authMethod;

    User(String fullName, UserGroupInformation.AuthenticationMethod authMethod) {
        this.fullName = fullName;
        this.authMethod = authMethod;
    }
}
