# Compiler options of every target of this project, carried by the interface target ranged_options.
# Consumers of the installed library are not bound by them.
add_library(ranged_options INTERFACE)
target_compile_features(ranged_options INTERFACE cxx_std_20)
target_compile_options(
  ranged_options
  INTERFACE -Wall
            -Wextra
            -Wpedantic
            -Wshadow
            -Wconversion
            -Wsign-conversion
            -Wold-style-cast
            -Wcast-align
            -Woverloaded-virtual
            -Wnull-dereference
            -Wformat=2
            -Wimplicit-fallthrough)
# Boost 1.81 needs no deprecated Asio spellings here, and one thread per io_context no hidden statics.
target_compile_definitions(ranged_options INTERFACE BOOST_ASIO_NO_DEPRECATED SPDLOG_FMT_EXTERNAL)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports false positives from inside libstdc++ and Boost with these when it optimises; the last two in
  # concatenations of std::string (GCC bugs 105329, 105651).
  target_compile_options(ranged_options INTERFACE -Wno-null-dereference -Wno-maybe-uninitialized -Wno-restrict
                                                  -Wno-stringop-overread)
  # ThreadSanitizer does not model Asio's fences, and g++ says so wherever they are inlined. What Asio hands from thread to
  # thread goes through a mutex as well, which it does model.
  if(RANGED_SANITIZE MATCHES thread)
    target_compile_options(ranged_options INTERFACE -Wno-tsan)
  endif()
endif()
if(RANGED_SANITIZE)
  target_compile_options(ranged_options INTERFACE -fsanitize=${RANGED_SANITIZE} -fno-sanitize-recover=all
                                                 -fno-omit-frame-pointer)
  target_link_options(ranged_options INTERFACE -fsanitize=${RANGED_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  # Hardening of Debian's own packages.
  target_compile_options(ranged_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
                                                  -fcf-protection)
  target_link_options(ranged_options INTERFACE -Wl,-z,relro,-z,now)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_definitions(ranged_options INTERFACE _GLIBCXX_ASSERTIONS)
endif()
