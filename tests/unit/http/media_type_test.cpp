#include <ranged/http/media_type.hpp>
#include <ranged/http/multipart.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>

using ranged::http::default_media_type;
using ranged::http::media_type_for;

TEST_CASE("the last extension decides, in any case") {
  for (const auto& [name, type] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"index.html", "text/html"},
           {"INDEX.HTML", "text/html"},
           {"a/b.d/photo.JPeG", "image/jpeg"},
           {"archive.tar.gz", "application/gzip"},
           {"film.3gp", "video/3gpp"},
           {"x.zstd", "application/zstd"},
           {"x.zst", "application/zstd"},
           {"app.webmanifest", "application/manifest+json"},
           {"readme.c", "text/plain"},
           {"a.7z", "application/x-7z-compressed"},
           {"/.cache/x.json", "application/json"},
           {"..svg", "image/svg+xml"},
           {"a b\n.mp4", "video/mp4"},
       }) {
    INFO(name);
    CHECK(media_type_for(name) == type);
  }
}

TEST_CASE("names that suggest nothing") {
  for (const std::string_view name : {"",
                                      ".",
                                      "..",
                                      "...",
                                      "/",
                                      "html",
                                      ".html",
                                      "dir/.html",
                                      "a.html/",
                                      "a.html/b",
                                      "x.",
                                      "x.html.",
                                      "x.htm1",
                                      "x.ht",
                                      "x.htmlx",
                                      "x.unknown",
                                      "x. html",
                                      "x.html ",
                                      "x.webmanifestx",
                                      "x.\xc3\xa9",
                                      "x.h\xc3"}) {
    INFO(name);
    CHECK(media_type_for(name) == default_media_type);
  }
  CHECK(media_type_for(std::string_view("x.html\0", 7)) == default_media_type);
  CHECK(media_type_for("x." + std::string(100'000, 'a')) == default_media_type);
}

TEST_CASE("every extension of up to three letters and digits has a type that can go out") {
  std::string name = "x.";
  const auto check = [&](const auto& self, int left) -> void {
    const std::string_view type = media_type_for(name);
    const std::size_t slash = type.find('/');
    const bool well_formed =
        slash != 0 && slash != std::string_view::npos && slash + 1 < type.size() &&
        type.size() <= ranged::http::max_media_type_length &&
        type.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789/+.-") == std::string_view::npos;
    if (!well_formed) FAIL(name);
    if (left == 0) return;
    for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyz0123456789")) {
      name.push_back(c);
      self(self, left - 1);
      name.pop_back();
    }
  };
  check(check, 3);
}
