// See app/mount_run.h.
#include "app/mount_run.h"

int main(int argc, char** argv) { return sftpfs::app::mount_run(argc, argv); }
