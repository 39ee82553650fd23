# Clang 16 evaluates the destructor of libstdc++ 12's constexpr vector while a class that holds a vector of pairs of
# itself (ConfigValue) is still incomplete, and refuses it. The fuzz preset takes that header with a plain destructor.
execute_process(
  COMMAND ${CMAKE_CXX_COMPILER} -x c++ -std=c++20 -M -include bits/stl_vector.h /dev/null
  OUTPUT_VARIABLE _headers COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCH "[^ \n]*/bits/stl_vector\\.h" _header "${_headers}")
file(READ ${_header} _text)
string(REGEX REPLACE "_GLIBCXX20_CONSTEXPR[ \n]+~" "~" _text "${_text}")
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/include/bits/stl_vector.h CONTENT "${_text}" @ONLY)
include_directories(SYSTEM ${CMAKE_BINARY_DIR}/include)
