# What a system package adds to `cmake --install`: the service and its configuration, manual pages, completions.
# All of it is the component "service", which a plain install leaves out. `./dev deb` packs both (CPack).

if(NOT (TARGET dxtd AND TARGET dxtctl))
  return()
endif()

set(_dxt_service COMPONENT service EXCLUDE_FROM_ALL)
set(_dxt_made ${PROJECT_BINARY_DIR}/package)

install(FILES deploy/systemd/dxtd.service DESTINATION lib/systemd/system ${_dxt_service})
install(
  FILES deploy/systemd/dxt.sysusers
  DESTINATION lib/sysusers.d
  RENAME dxt.conf ${_dxt_service})
install(FILES deploy/debian/dxtd.yaml DESTINATION /etc/dxt ${_dxt_service})
install(
  FILES deploy/debian/copyright
  DESTINATION share/doc/dxt ${_dxt_service})
install(CODE "execute_process(COMMAND ${PROJECT_SOURCE_DIR}/deploy/debian/make_pages $<TARGET_FILE_DIR:dxtd> ${_dxt_made}
                              COMMAND_ERROR_IS_FATAL ANY)" ${_dxt_service})
install(FILES ${_dxt_made}/dxtctl.1.gz DESTINATION share/man/man1 ${_dxt_service})
install(FILES ${_dxt_made}/dxtd.8.gz DESTINATION share/man/man8 ${_dxt_service})
install(
  FILES ${_dxt_made}/dxtctl.bash
  DESTINATION share/bash-completion/completions
  RENAME dxtctl ${_dxt_service})
install(
  FILES ${_dxt_made}/dxtctl.zsh
  DESTINATION share/zsh/vendor-completions
  RENAME _dxtctl ${_dxt_service})
install(FILES ${_dxt_made}/dxtctl.fish DESTINATION share/fish/vendor_completions.d ${_dxt_service})

# --- the package ---------------------------------------------------------------------------------------------

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME dxt)
set(CPACK_PACKAGE_VENDOR "dxt")
set(CPACK_PACKAGE_CONTACT "The dxt developers <dxt@dxt.dev>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "moves data between databases, warehouses and files")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    " One YAML file moves data between any two systems, exactly once where the
 target allows it. The daemon dxtd keeps pipelines, schedules and history and
 runs them; dxtctl is its client, and runs pipelines without a daemon too.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL Unspecified service)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE zstd)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_HOMEPAGE https://dxt.dev)
# The libraries beside the programs are the package's own.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${DXT_DEPS}/arrow/lib ${DXT_DEPS}/duckdb/lib)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "ca-certificates, init-system-helpers (>= 1.52), passwd, tzdata")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "systemd")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(_dxt_debian ${PROJECT_SOURCE_DIR}/deploy/debian)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${_dxt_debian}/conffiles ${_dxt_debian}/postinst ${_dxt_debian}/prerm
                                       ${_dxt_debian}/postrm)
set(_dxt_machine amd64)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL aarch64)
  set(_dxt_machine arm64)
endif()
set(CPACK_OUTPUT_FILE_PREFIX ${PROJECT_BINARY_DIR}/packages)
set(CPACK_VERBATIM_VARIABLES ON)
# The programs are built by whoever packs them.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
include(CPack)

# --- tests ---------------------------------------------------------------------------------------------------

if(BUILD_TESTING)
  set(_own_mounts ${PROJECT_SOURCE_DIR}/deploy/with_own_mounts)
  # A sanitizer needs what the unit forbids, and is no part of what is shipped.
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    set(_dxt_shipped "")
  else()
    set(_dxt_shipped ${CMAKE_BINARY_DIR})
  endif()
  add_test(NAME systemd_unit_test COMMAND ${_own_mounts} ${PROJECT_SOURCE_DIR}/deploy/systemd/unit_test ${_dxt_shipped})
  set_tests_properties(systemd_unit_test PROPERTIES LABELS unit TIMEOUT 60 SKIP_RETURN_CODE 77)
  add_test(NAME kubernetes_manifests_test COMMAND ${PROJECT_SOURCE_DIR}/deploy/kubernetes/manifests_test
                                                  $<TARGET_FILE:dxtd>)
  set_tests_properties(kubernetes_manifests_test PROPERTIES LABELS unit TIMEOUT 60 SKIP_RETURN_CODE 77)
  add_test(NAME grafana_metrics_test COMMAND ${PROJECT_SOURCE_DIR}/deploy/grafana/metrics_test $<TARGET_FILE:dxtd>)
  set_tests_properties(grafana_metrics_test PROPERTIES LABELS unit TIMEOUT 120)
  if(_dxt_shipped)
    add_test(NAME systemd_service_test COMMAND ${_own_mounts} ${PROJECT_SOURCE_DIR}/deploy/systemd/service_test
                                               $<TARGET_FILE:dxtd> ${DXT_DEPS})
    set_tests_properties(systemd_service_test PROPERTIES LABELS unit TIMEOUT 120 SKIP_RETURN_CODE 77)
    set(_dxt_deb "${CPACK_OUTPUT_FILE_PREFIX}/dxt_${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}_${_dxt_machine}.deb")
    add_test(NAME deb_packs COMMAND ${CMAKE_CPACK_COMMAND} --config ${PROJECT_BINARY_DIR}/CPackConfig.cmake)
    add_test(NAME deb_test COMMAND ${_own_mounts} ${_dxt_debian}/package_test ${_dxt_deb})
    add_test(NAME image_test COMMAND ${_own_mounts} ${PROJECT_SOURCE_DIR}/deploy/image/image_test ${_dxt_deb})
    set_tests_properties(deb_packs deb_test image_test PROPERTIES LABELS slow TIMEOUT 900 SKIP_RETURN_CODE 77)
    set_tests_properties(deb_packs PROPERTIES FIXTURES_SETUP dxt_deb)
    set_tests_properties(deb_test image_test PROPERTIES FIXTURES_REQUIRED dxt_deb)
  endif()
endif()
