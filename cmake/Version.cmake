# The commit that a binary was built from, for the provenance of every run.
set(absorb_version_dir "${CMAKE_BINARY_DIR}/generated")
set(absorb_write_version "${CMAKE_COMMAND}" "-DSOURCE=${CMAKE_SOURCE_DIR}" "-DVERSION=${PROJECT_VERSION}"
  "-DTARGET=${absorb_version_dir}/absorb_version.h" -P "${CMAKE_SOURCE_DIR}/cmake/WriteVersion.cmake")
execute_process(COMMAND ${absorb_write_version})
add_custom_target(absorb_version COMMAND ${absorb_write_version} BYPRODUCTS "${absorb_version_dir}/absorb_version.h")
add_dependencies(absorb_studies_run absorb_version)
target_include_directories(absorb_studies_run PRIVATE "${absorb_version_dir}")
