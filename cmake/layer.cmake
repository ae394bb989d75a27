# sftpfs_layer(name SOURCES a.cc b.cc [DEPS lower layers] [LIBS libraries] [PRIVATE_LIBS ...])
#
# One folder, one static library `sftpfs_<name>`. DEPS lists the layers its files may include;
# scripts/check-layers reads these lines and fails a build whose includes disagree.
function(sftpfs_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;LIBS;PRIVATE_LIBS" ${ARGN})
  add_library(sftpfs_${name} STATIC ${ARG_SOURCES})
  target_include_directories(sftpfs_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(sftpfs_${name} PUBLIC sftpfs_compiler Threads::Threads ${ARG_LIBS}
                                       PRIVATE ${ARG_PRIVATE_LIBS})
  foreach(dep IN LISTS ARG_DEPS)
    target_link_libraries(sftpfs_${name} PUBLIC sftpfs_${dep})
  endforeach()
endfunction()
