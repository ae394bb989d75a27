# Packages: scripts/package calls cpack in a build with the prefix /usr.
set(CPACK_PACKAGE_NAME sftpfs)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_VENDOR sftpfs)
set(CPACK_PACKAGE_CONTACT "The sftpfs developers <sftpfs@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "mount directories of remote hosts over SFTP")
set(CPACK_PACKAGE_DESCRIPTION "A FUSE file system whose disk is at the other end of an SSH
connection: pipelined, cached, and with open files that survive lost connections. Understands the
options and lines of fstab of sshfs.")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_SET_DESTDIR ON)  # helpers of mount(8) lie outside of the prefix
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR DEB;TGZ)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# fusermount3 for mounts of ordinary users; ssh for what it alone can do.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "fuse3, mount")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS openssh-client)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/cmake/debian/postinst
                                       ${PROJECT_SOURCE_DIR}/cmake/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_LICENSE Apache-2.0)
set(CPACK_RPM_PACKAGE_GROUP "System Environment/Base")
set(CPACK_RPM_PACKAGE_REQUIRES "fuse3")
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION
    /usr/sbin /usr/lib/systemd /usr/lib/systemd/system /usr/lib/systemd/user /usr/share/man
    /usr/share/man/man1 /usr/share/man/man5 /usr/share/man/man8)
include(CPack)
