# Everything dxt links, as dxt::<name> targets. Included once, from the top-level CMakeLists.txt.
#
#   DXT_DEPS          the prefix deploy/deps/bootstrap made; asked of it when unset
#   DXT_SYSTEM_ARROW  take an installed Arrow and Parquet (find_package) instead of the pinned ones
#
# Other folders name only these targets, never a package: what a target is made of is decided here.

include_guard(GLOBAL)

option(DXT_SYSTEM_ARROW "Use an installed Arrow C++ instead of the pinned one" OFF)

if(NOT DXT_DEPS)
  execute_process(
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/bootstrap --print-prefix
    OUTPUT_VARIABLE _dxt_prefix
    OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
else()
  set(_dxt_prefix "${DXT_DEPS}")
endif()
if(NOT EXISTS "${_dxt_prefix}/.complete")
  message(FATAL_ERROR "no dependencies in '${_dxt_prefix}': run deploy/deps/bootstrap (./dev build does)")
endif()
# Not cached when asked for: new pins move the prefix, and an old build folder must follow.
set(DXT_DEPS "${_dxt_prefix}")

# New pins configure again.
set_property(
  DIRECTORY
  APPEND
  PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/bootstrap ${CMAKE_CURRENT_LIST_DIR}/python.txt
           ${CMAKE_CURRENT_LIST_DIR}/npm.txt)

include(${CMAKE_CURRENT_LIST_DIR}/CompilerCache.cmake)

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# --- system packages -----------------------------------------------------------------------------------------

# Adds dxt::<name>, linking the given targets.
function(_dxt_dependency name)
  add_library(dxt_dep_${name} INTERFACE)
  add_library(dxt::${name} ALIAS dxt_dep_${name})
  target_link_libraries(dxt_dep_${name} INTERFACE ${ARGN})
endfunction()

# Adds dxt::<name> for a pkg-config module.
function(_dxt_pkg_dependency name module)
  pkg_check_modules(DXT_PKG_${name} REQUIRED IMPORTED_TARGET ${module})
  _dxt_dependency(${name} PkgConfig::DXT_PKG_${name})
endfunction()

find_package(OpenSSL REQUIRED)
_dxt_dependency(openssl OpenSSL::SSL OpenSSL::Crypto)
_dxt_pkg_dependency(libpq libpq)
_dxt_pkg_dependency(sqlite sqlite3)
_dxt_pkg_dependency(sodium libsodium)
_dxt_pkg_dependency(zlib zlib)
_dxt_pkg_dependency(absl_time absl_time)
_dxt_pkg_dependency(zstd libzstd)
_dxt_pkg_dependency(curl libcurl)

find_package(yaml-cpp REQUIRED)
_dxt_dependency(yaml yaml-cpp)
find_package(fmt REQUIRED)
_dxt_dependency(fmt fmt::fmt)
find_package(spdlog REQUIRED)
_dxt_dependency(spdlog spdlog::spdlog)
find_package(nlohmann_json REQUIRED)
_dxt_dependency(json nlohmann_json::nlohmann_json)
find_package(simdjson REQUIRED)
_dxt_dependency(simdjson simdjson::simdjson)
find_package(CLI11 REQUIRED)
_dxt_dependency(cli11 CLI11::CLI11)
find_path(DXT_VALIJSON_INCLUDE valijson/validator.hpp REQUIRED)
_dxt_dependency(valijson)
target_include_directories(dxt_dep_valijson SYSTEM INTERFACE ${DXT_VALIJSON_INCLUDE})

# Headers only: Beast and Asio.
find_path(DXT_BOOST_INCLUDE boost/beast.hpp REQUIRED)
_dxt_dependency(beast Threads::Threads)
target_include_directories(dxt_dep_beast SYSTEM INTERFACE ${DXT_BOOST_INCLUDE})

find_package(GTest REQUIRED)
_dxt_dependency(gtest GTest::gtest)
_dxt_dependency(gtest_main GTest::gtest GTest::gtest_main)
_dxt_dependency(gmock GTest::gmock)
find_package(benchmark QUIET)
if(benchmark_FOUND)
  _dxt_dependency(benchmark benchmark::benchmark)
endif()

find_package(Protobuf REQUIRED)
_dxt_dependency(protobuf protobuf::libprotobuf)
# gRPC's pkg-config file lists 90 libraries, of which a binary keeps those it calls. pkg_check_modules would ask
# for them 16 times, at half a second each.
if(NOT DXT_GRPC_LIBRARIES)
  execute_process(
    COMMAND ${PKG_CONFIG_EXECUTABLE} --libs grpc++
    OUTPUT_VARIABLE _grpc_libraries
    OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(_grpc_libraries)
  list(REMOVE_DUPLICATES _grpc_libraries)
  set(DXT_GRPC_LIBRARIES
      "${_grpc_libraries}"
      CACHE INTERNAL "")
endif()
_dxt_dependency(grpc ${DXT_GRPC_LIBRARIES} dxt_dep_protobuf Threads::Threads)
target_link_options(dxt_dep_grpc INTERFACE LINKER:--as-needed)
find_library(DXT_GRPC_REFLECTION_LIBRARY grpc++_reflection REQUIRED)
# Registers its service when linked, whether or not anything calls it.
_dxt_dependency(grpc_reflection -Wl,--push-state,--no-as-needed ${DXT_GRPC_REFLECTION_LIBRARY} -Wl,--pop-state
                dxt_dep_grpc)
find_program(DXT_GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

# --- pinned packages -----------------------------------------------------------------------------------------

# Adds an imported shared library whose headers are system headers.
function(_dxt_imported name library soname include)
  add_library(${name} SHARED IMPORTED GLOBAL)
  set_target_properties(
    ${name}
    PROPERTIES IMPORTED_LOCATION ${library}
               IMPORTED_SONAME ${soname}
               INTERFACE_INCLUDE_DIRECTORIES "${include}"
               INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${include}")
endfunction()

if(DXT_SYSTEM_ARROW)
  find_package(Arrow CONFIG REQUIRED)
  find_package(Parquet CONFIG REQUIRED)
  find_package(ArrowAcero CONFIG REQUIRED)
  find_package(ArrowDataset CONFIG REQUIRED)
  find_package(ArrowCompute CONFIG QUIET) # part of libarrow before Arrow 21
  _dxt_dependency(arrow Arrow::arrow_shared)
  _dxt_dependency(arrow_compute dxt_dep_arrow)
  if(ArrowCompute_FOUND)
    target_link_libraries(dxt_dep_arrow_compute INTERFACE ArrowCompute::arrow_compute_shared)
  endif()
  _dxt_dependency(arrow_acero ArrowAcero::arrow_acero_shared)
  _dxt_dependency(arrow_dataset ArrowDataset::arrow_dataset_shared)
  _dxt_dependency(parquet Parquet::parquet_shared dxt_dep_arrow)
else()
  set(_dxt_arrow ${DXT_DEPS}/arrow)
  foreach(_library arrow arrow_compute arrow_acero arrow_dataset parquet)
    _dxt_imported(dxt_imported_${_library} ${_dxt_arrow}/lib/lib${_library}.so.2600 lib${_library}.so.2600
                  ${_dxt_arrow}/include)
  endforeach()
  _dxt_dependency(arrow dxt_imported_arrow)
  _dxt_dependency(arrow_compute dxt_imported_arrow_compute dxt_dep_arrow)
  _dxt_dependency(parquet dxt_imported_parquet dxt_dep_arrow)
  _dxt_dependency(arrow_acero dxt_imported_arrow_acero dxt_dep_arrow_compute)
  _dxt_dependency(arrow_dataset dxt_imported_arrow_dataset dxt_dep_arrow_acero dxt_dep_parquet)

  # The pinned libparquet carries its own OpenSSL and exports all of it. Whichever OpenSSL the loader meets
  # first serves every library of the process, and libssl, libpq and gRPC must not get another library's half.
  # So the system's comes first, whatever else the binary links. deploy/deps/link_test.cc holds this.
  target_link_options(
    dxt_dep_parquet INTERFACE
    "LINKER:--push-state,--no-as-needed,${OPENSSL_SSL_LIBRARY},${OPENSSL_CRYPTO_LIBRARY},--pop-state")
endif()

_dxt_imported(dxt_imported_duckdb ${DXT_DEPS}/duckdb/lib/libduckdb.so libduckdb.so "")
_dxt_dependency(duckdb dxt_imported_duckdb)

_dxt_dependency(adbc)
target_include_directories(dxt_dep_adbc SYSTEM INTERFACE ${DXT_DEPS}/adbc/include)

# --- protobuf ------------------------------------------------------------------------------------------------

set(DXT_PROTO_OUT ${PROJECT_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${DXT_PROTO_OUT})

# Adds the commands that generate C++ for the .proto files of a folder; `service` is TRUE for the gRPC part.
function(_dxt_protoc sources_var folder service)
  set(sources)
  foreach(proto ${ARGN})
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    if(service)
      set(outputs ${DXT_PROTO_OUT}/${stem}.grpc.pb.cc ${DXT_PROTO_OUT}/${stem}.grpc.pb.h)
      set(flags --plugin=protoc-gen-grpc=${DXT_GRPC_CPP_PLUGIN} --grpc_out=${DXT_PROTO_OUT})
    else()
      set(outputs ${DXT_PROTO_OUT}/${stem}.pb.cc ${DXT_PROTO_OUT}/${stem}.pb.h)
      set(flags --cpp_out=${DXT_PROTO_OUT})
    endif()
    add_custom_command(
      OUTPUT ${outputs}
      COMMAND protobuf::protoc ${flags} -I ${folder} -I ${DXT_DEPS}/googleapis ${folder}/${proto}
      DEPENDS ${folder}/${proto}
      COMMENT "protoc ${proto}"
      VERBATIM)
    list(APPEND sources ${outputs})
  endforeach()
  set(${sources_var}
      ${sources}
      PARENT_SCOPE)
endfunction()

# Adds a static library of generated code.
function(_dxt_generated_library target)
  add_library(${target} STATIC ${ARGN})
  target_include_directories(${target} SYSTEM PUBLIC ${DXT_PROTO_OUT})
  target_compile_options(${target} PRIVATE -w)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_CLANG_TIDY "" UNITY_BUILD OFF)
endfunction()

# The Google API protos dxt's own import. Debian's gRPC registers none of these files (its error_details
# library is empty, its reflection library brings only reflection.proto), so they are registered once.
_dxt_protoc(
  _googleapis_sources
  ${DXT_DEPS}/googleapis
  FALSE
  google/api/annotations.proto
  google/api/client.proto
  google/api/field_behavior.proto
  google/api/field_info.proto
  google/api/http.proto
  google/api/launch_stage.proto
  google/api/resource.proto
  google/rpc/code.proto
  google/rpc/error_details.proto
  google/rpc/status.proto)
_dxt_generated_library(dxt_googleapis EXCLUDE_FROM_ALL ${_googleapis_sources})
target_link_libraries(dxt_googleapis PUBLIC dxt::protobuf)

# dxt_proto_library(<target> <proto>...)
#
# Generates C++ for .proto files named relative to proto/ (`dxt/v1/runs.proto`). <target> holds the messages;
# <target>_grpc the services, and exists when a file declares one. Include as "dxt/v1/runs.pb.h" and
# "dxt/v1/runs.grpc.pb.h".
function(dxt_proto_library target)
  set(folder ${PROJECT_SOURCE_DIR}/proto)
  set(with_services)
  foreach(proto ${ARGN})
    set_property(
      DIRECTORY
      APPEND
      PROPERTY CMAKE_CONFIGURE_DEPENDS ${folder}/${proto})
    file(STRINGS ${folder}/${proto} services REGEX "^service ")
    if(services)
      list(APPEND with_services ${proto})
    endif()
  endforeach()

  _dxt_protoc(sources ${folder} FALSE ${ARGN})
  _dxt_generated_library(${target} ${sources})
  target_link_libraries(${target} PUBLIC dxt_googleapis dxt::protobuf)
  # A message's header is included by the generated code of others: all are generated before any is compiled.
  add_custom_target(${target}_generate DEPENDS ${sources})
  add_dependencies(${target} ${target}_generate)

  if(with_services)
    _dxt_protoc(sources ${folder} TRUE ${with_services})
    _dxt_generated_library(${target}_grpc ${sources})
    target_link_libraries(${target}_grpc PUBLIC ${target} dxt::grpc)
    # Unlike those of messages, the generated sources of services share no names.
    set_target_properties(${target}_grpc PROPERTIES UNITY_BUILD "${CMAKE_UNITY_BUILD}" UNITY_BUILD_BATCH_SIZE 0)
    add_dependencies(${target}_grpc ${target}_generate)
  endif()
endfunction()
