# Compiles through ccache where it is installed, so that clones share what they compiled: paths below the work
# tree are hashed relative to it, and precompiled headers need the sloppiness and the flag ccache asks for.

include_guard(GLOBAL)

option(DXT_CCACHE "Compile through ccache if it is installed" ON)
find_program(DXT_CCACHE_PROGRAM ccache)

# A plain ccache asked for on the command line would not cache what uses precompiled headers.
if(DXT_CCACHE
   AND DXT_CCACHE_PROGRAM
   AND (NOT CMAKE_CXX_COMPILER_LAUNCHER OR CMAKE_CXX_COMPILER_LAUNCHER MATCHES "ccache$"))
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${DXT_CCACHE_PROGRAM})
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>)
endif()
