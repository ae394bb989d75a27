// The only place that includes libfuse, with the API level that we are written to.
#pragma once

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
