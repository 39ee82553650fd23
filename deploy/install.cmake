# What `cmake --install` lays down. The tree can be moved: bin/* find lib/dxt beside themselves, and Arrow's
# libraries find each other there.

include(GNUInstallDirs)

set(_dxt_private_libraries lib/dxt)
set(_dxt_documents ${CMAKE_INSTALL_DATAROOTDIR}/doc/dxt)

foreach(_program dxtd dxtctl)
  if(TARGET ${_program})
    set_target_properties(${_program} PROPERTIES INSTALL_RPATH "$ORIGIN/../${_dxt_private_libraries}")
    install(TARGETS ${_program} RUNTIME DESTINATION bin)
  endif()
endforeach()

set(_dxt_pinned ${DXT_DEPS}/duckdb/lib/libduckdb.so)
if(NOT DXT_SYSTEM_ARROW)
  foreach(_library arrow arrow_compute arrow_acero arrow_dataset arrow_s3 parquet)
    list(APPEND _dxt_pinned ${DXT_DEPS}/arrow/lib/lib${_library}.so.2600)
  endforeach()
endif()
install(PROGRAMS ${_dxt_pinned} DESTINATION ${_dxt_private_libraries})

install(FILES LICENSE NOTICE docs/third-party.md DESTINATION ${_dxt_documents})
install(FILES README.md CHANGELOG.md DESTINATION ${_dxt_documents} OPTIONAL)
foreach(_package arrow duckdb adbc googleapis)
  install(DIRECTORY ${DXT_DEPS}/${_package}/licenses/ DESTINATION ${_dxt_documents}/licenses/${_package})
endforeach()

if(BUILD_TESTING)
  dxt_test(
    deps_link_test
    SOURCES deploy/deps/link_test.cc
    DEPS dxt_googleapis dxt::parquet dxt::duckdb dxt::libpq dxt::sqlite dxt::openssl dxt::grpc_reflection)
  if(TARGET dxtd AND TARGET dxtctl)
    add_test(NAME install_test COMMAND ${PROJECT_SOURCE_DIR}/deploy/install_test ${CMAKE_BINARY_DIR})
    set_tests_properties(install_test PROPERTIES LABELS unit TIMEOUT 60)
  endif()
endif()

include(${CMAKE_CURRENT_LIST_DIR}/package.cmake)
