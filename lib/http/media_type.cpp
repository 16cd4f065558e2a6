#include <ranged/http/media_type.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>

namespace ranged::http {
namespace {

struct Entry {
  std::string_view extension;  ///< in lower case
  std::string_view media_type;
};

// From the IANA registry of media types; what is not registered, by the x- name in common use. Sources of programs are
// text/plain, so that browsers show them. A compressed file is what it is: no Content-Encoding unpacks it on the way.
constexpr auto entries = std::to_array<Entry>({
    {"3gp", "video/3gpp"},
    {"7z", "application/x-7z-compressed"},
    {"aac", "audio/aac"},
    {"ai", "application/postscript"},
    {"aif", "audio/aiff"},
    {"aiff", "audio/aiff"},
    {"apk", "application/vnd.android.package-archive"},
    {"apng", "image/apng"},
    {"arrow", "application/vnd.apache.arrow.file"},
    {"asc", "text/plain"},
    {"atom", "application/atom+xml"},
    {"avi", "video/x-msvideo"},
    {"avif", "image/avif"},
    {"azw", "application/vnd.amazon.ebook"},
    {"bin", "application/octet-stream"},
    {"bmp", "image/bmp"},
    {"bz", "application/x-bzip"},
    {"bz2", "application/x-bzip2"},
    {"c", "text/plain"},
    {"cbor", "application/cbor"},
    {"cbr", "application/vnd.comicbook-rar"},
    {"cbz", "application/vnd.comicbook+zip"},
    {"cc", "text/plain"},
    {"cfg", "text/plain"},
    {"conf", "text/plain"},
    {"cpp", "text/plain"},
    {"crl", "application/pkix-crl"},
    {"crt", "application/x-x509-ca-cert"},
    {"css", "text/css"},
    {"csv", "text/csv"},
    {"cxx", "text/plain"},
    {"dcm", "application/dicom"},
    {"deb", "application/vnd.debian.binary-package"},
    {"der", "application/x-x509-ca-cert"},
    {"diff", "text/plain"},
    {"djvu", "image/vnd.djvu"},
    {"dll", "application/octet-stream"},
    {"dmg", "application/octet-stream"},
    {"doc", "application/msword"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"dtd", "application/xml-dtd"},
    {"eml", "message/rfc822"},
    {"eot", "application/vnd.ms-fontobject"},
    {"eps", "application/postscript"},
    {"epub", "application/epub+zip"},
    {"exe", "application/octet-stream"},
    {"fits", "application/fits"},
    {"flac", "audio/flac"},
    {"flv", "video/x-flv"},
    {"geojson", "application/geo+json"},
    {"gif", "image/gif"},
    {"glb", "model/gltf-binary"},
    {"gltf", "model/gltf+json"},
    {"gpg", "application/pgp-encrypted"},
    {"gpkg", "application/geopackage+sqlite3"},
    {"gpx", "application/gpx+xml"},
    {"gz", "application/gzip"},
    {"h", "text/plain"},
    {"heic", "image/heic"},
    {"heif", "image/heif"},
    {"hpp", "text/plain"},
    {"htm", "text/html"},
    {"html", "text/html"},
    {"ico", "image/vnd.microsoft.icon"},
    {"ics", "text/calendar"},
    {"img", "application/octet-stream"},
    {"ini", "text/plain"},
    {"ipynb", "application/x-ipynb+json"},
    {"iso", "application/x-iso9660-image"},
    {"jar", "application/java-archive"},
    {"java", "text/plain"},
    {"jfif", "image/jpeg"},
    {"jp2", "image/jp2"},
    {"jpe", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript"},
    {"json", "application/json"},
    {"jsonl", "application/jsonl"},
    {"jsonld", "application/ld+json"},
    {"jxl", "image/jxl"},
    {"key", "application/vnd.apple.keynote"},
    {"kml", "application/vnd.google-earth.kml+xml"},
    {"kmz", "application/vnd.google-earth.kmz"},
    {"log", "text/plain"},
    {"lz4", "application/x-lz4"},
    {"m3u", "audio/x-mpegurl"},
    {"m3u8", "application/vnd.apple.mpegurl"},
    {"m4a", "audio/mp4"},
    {"m4s", "video/iso.segment"},
    {"m4v", "video/mp4"},
    {"map", "application/json"},
    {"markdown", "text/markdown"},
    {"mbox", "application/mbox"},
    {"md", "text/markdown"},
    {"mid", "audio/midi"},
    {"midi", "audio/midi"},
    {"mjs", "text/javascript"},
    {"mka", "audio/x-matroska"},
    {"mkv", "video/x-matroska"},
    {"mov", "video/quicktime"},
    {"mp2t", "video/mp2t"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpd", "application/dash+xml"},
    {"mpeg", "video/mpeg"},
    {"mpg", "video/mpeg"},
    {"msi", "application/octet-stream"},
    {"ndjson", "application/x-ndjson"},
    {"odp", "application/vnd.oasis.opendocument.presentation"},
    {"ods", "application/vnd.oasis.opendocument.spreadsheet"},
    {"odt", "application/vnd.oasis.opendocument.text"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"opus", "audio/ogg"},
    {"otf", "font/otf"},
    {"parquet", "application/vnd.apache.parquet"},
    {"patch", "text/plain"},
    {"pbm", "image/x-portable-bitmap"},
    {"pcap", "application/vnd.tcpdump.pcap"},
    {"pdf", "application/pdf"},
    {"pem", "application/x-pem-file"},
    {"pgm", "image/x-portable-graymap"},
    {"pl", "text/plain"},
    {"pmtiles", "application/vnd.pmtiles"},
    {"png", "image/png"},
    {"ppm", "image/x-portable-pixmap"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {"ps", "application/postscript"},
    {"py", "text/plain"},
    {"qcow2", "application/octet-stream"},
    {"rar", "application/vnd.rar"},
    {"rpm", "application/x-rpm"},
    {"rs", "text/plain"},
    {"rss", "application/rss+xml"},
    {"rtf", "application/rtf"},
    {"sh", "text/plain"},
    {"sig", "application/pgp-signature"},
    {"sqlite", "application/vnd.sqlite3"},
    {"srt", "application/x-subrip"},
    {"stl", "model/stl"},
    {"svg", "image/svg+xml"},
    {"swf", "application/vnd.adobe.flash.movie"},
    {"tar", "application/x-tar"},
    {"tgz", "application/gzip"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"toml", "application/toml"},
    {"torrent", "application/x-bittorrent"},
    {"tsv", "text/tab-separated-values"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain"},
    {"txz", "application/x-xz"},
    {"vcf", "text/vcard"},
    {"vsix", "application/zip"},
    {"vtt", "text/vtt"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"weba", "audio/webm"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"whl", "application/zip"},
    {"wmv", "video/x-ms-wmv"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xhtml", "application/xhtml+xml"},
    {"xls", "application/vnd.ms-excel"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"xml", "application/xml"},
    {"xsl", "application/xml"},
    {"xz", "application/x-xz"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"zip", "application/zip"},
    {"zst", "application/zstd"},
    {"zstd", "application/zstd"},
});

static_assert(std::ranges::adjacent_find(entries, std::ranges::greater_equal{}, &Entry::extension) == entries.end(),
              "in ascending order, each once, as the binary search wants them");

constexpr std::size_t longest_extension =
    std::ranges::max(entries, {}, [](const Entry& entry) { return entry.extension.size(); }).extension.size();

constexpr char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

std::string_view media_type_for(std::string_view name) noexcept {
  name.remove_prefix(name.rfind('/') + 1);  // npos + 1 is 0
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return default_media_type;
  const std::string_view extension = name.substr(dot + 1);
  if (extension.size() > longest_extension) return default_media_type;
  std::array<char, longest_extension> buffer{};
  std::ranges::transform(extension, buffer.begin(), to_lower);
  const std::string_view lower(buffer.data(), extension.size());
  const auto* const found = std::ranges::lower_bound(entries, lower, {}, &Entry::extension);
  return found != entries.end() && found->extension == lower ? found->media_type : default_media_type;
}

}  // namespace ranged::http
