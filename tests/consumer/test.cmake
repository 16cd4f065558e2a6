# Installs the engine, builds the project beside this file against what was installed, and compares what it prints.
# cmake -DBUILD=… -DWORK=… -DCOMPILER=… -DFLAGS=… -P test.cmake
function(run)
  execute_process(COMMAND ${ARGV} OUTPUT_VARIABLE output ERROR_VARIABLE errors RESULT_VARIABLE result)
  set(output "${output}" PARENT_SCOPE)
  set(errors "${errors}" PARENT_SCOPE)
  set(result "${result}" PARENT_SCOPE)
endfunction()

function(succeed)
  run(${ARGV})
  if(NOT result STREQUAL "0")
    message(FATAL_ERROR "${ARGV}: ${result}\n${output}${errors}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(expect wanted)
  succeed(${ARGN})
  if(NOT output STREQUAL wanted)
    message(FATAL_ERROR "${ARGN} printed\n${output}instead of\n${wanted}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
succeed(${CMAKE_COMMAND} --install ${BUILD}/lib --prefix ${WORK}/prefix)
# Only what was installed may be found, not the source tree.
succeed(${CMAKE_COMMAND} -G Ninja -S ${CMAKE_CURRENT_LIST_DIR} -B ${WORK}/build -DCMAKE_PREFIX_PATH=${WORK}/prefix
        -DCMAKE_CXX_COMPILER=${COMPILER} "-DCMAKE_CXX_FLAGS=${FLAGS}")
succeed(${CMAKE_COMMAND} --build ${WORK}/build)

set(hexdump ${WORK}/build/hexdump)
file(WRITE ${WORK}/sample "An array backed by a file.")
expect("000000000000  41 6e 20 61 72 72 61 79 20 62 61 63 6b 65 64 20\n000000000010  62 79 20 61 20 66 69 6c 65 2e\n"
       ${hexdump} ${WORK}/sample)
expect("000000000015  66 69 6c 65\n" ${hexdump} ${WORK}/sample -5 4)
expect("" ${hexdump} ${WORK}/sample 26)
foreach(arguments "${WORK}/none" "${WORK}/sample;27" "${WORK}")
  run(${hexdump} ${arguments})
  if(NOT result STREQUAL "1" OR NOT errors MATCHES "^hexdump: .+\n$")
    message(FATAL_ERROR "hexdump ${arguments}: ${result} ${errors}")
  endif()
endforeach()
file(REMOVE_RECURSE ${WORK})
