# Warnings, hardening and sanitizers: one interface target that every target of ours links.
add_library(sftpfs_compiler INTERFACE)

target_compile_options(sftpfs_compiler INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-align
  -Woverloaded-virtual -Wconversion -Wno-sign-conversion -Wformat=2 -Wundef
  -Wimplicit-fallthrough -fno-strict-aliasing)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(sftpfs_compiler INTERFACE -Wduplicated-cond -Wlogical-op -fcoroutines)
  if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # GCC bug 105329: false alarms in std::string's operator+ when optimising.
    target_compile_options(sftpfs_compiler INTERFACE -Wno-restrict)
  endif()
else()
  target_compile_options(sftpfs_compiler INTERFACE -Wthread-safety)
endif()
if(SFTPFS_WERROR)
  target_compile_options(sftpfs_compiler INTERFACE -Werror)
endif()

if(SFTPFS_SANITIZE)
  target_compile_options(sftpfs_compiler INTERFACE
    -fsanitize=${SFTPFS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(sftpfs_compiler INTERFACE -fsanitize=${SFTPFS_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # clang 14 cannot emit it for coroutines ("Cannot represent a difference across sections").
    target_compile_options(sftpfs_compiler INTERFACE -fno-sanitize=function)
  endif()
elseif(CMAKE_BUILD_TYPE MATCHES "Release|RelWithDebInfo")
  target_compile_options(sftpfs_compiler INTERFACE
    -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  target_link_options(sftpfs_compiler INTERFACE -Wl,-z,relro,-z,now)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_definitions(sftpfs_compiler INTERFACE _GLIBCXX_ASSERTIONS)
endif()
