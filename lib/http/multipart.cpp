#include <ranged/http/header_writer.hpp>
#include <ranged/http/multipart.hpp>

#include <array>
#include <bit>

namespace ranged::http {
namespace {

constexpr std::string_view line_end = "\r\n";
constexpr std::string_view dashes = "--";
constexpr std::string_view content_type = "Content-Type: ";
constexpr std::string_view content_range = "Content-Range: bytes ";
constexpr std::string_view head_end = "\r\n\r\n";

constexpr std::array<std::uint64_t, 20> powers_of_ten = [] {
  std::array<std::uint64_t, 20> powers{1};
  for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}();

/// Decimal digits of a number: from those of its bits (1233 / 4096 is a little more than log10 of 2), which are one too
/// many or right (Warren, Hacker's Delight, 11-4).
constexpr std::uint64_t digits_of(std::uint64_t number) noexcept {
  number |= 1U;  // as many digits, and one for 0
  const auto digits = static_cast<std::size_t>(std::bit_width(number)) * 1233U >> 12U;
  return digits + (number >= powers_of_ten[digits] ? 1U : 0U);
}
static_assert(digits_of(0) == 1 && digits_of(9) == 1 && digits_of(10) == 2 && digits_of(99) == 2 &&
              digits_of(1'000'000'000'000) == 13 && digits_of(9'999'999'999'999'999'999U) == 19 &&
              digits_of(10'000'000'000'000'000'000U) == 20 && digits_of(~std::uint64_t{0}) == 20);

void write_hex(char* out, std::uint64_t value) noexcept {
  constexpr std::string_view digits = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) *out++ = digits[(value >> shift) & 0xf];
}

}  // namespace

Boundary make_boundary(const BoundaryBits& bits) noexcept {
  Boundary boundary;
  write_hex(boundary.text.data(), bits[0]);
  write_hex(boundary.text.data() + Boundary::size / 2, bits[1]);
  return boundary;
}

std::size_t part_head_length(bool first, const ByteRange& range, std::uint64_t size,
                             std::string_view media_type) noexcept {
  return (first ? 0 : line_end.size()) + dashes.size() + Boundary::size + line_end.size() + content_type.size() +
         media_type.size() + line_end.size() + content_range.size() + digits_of(range.first) + 1 +
         digits_of(range.last) + 1 + digits_of(size) + head_end.size();
}

std::size_t write_part_head(std::span<char, max_part_head_length> out, const Boundary& boundary, bool first,
                            const ByteRange& range, std::uint64_t size, std::string_view media_type) noexcept {
  HeaderWriter writer(out);
  // The line end before a delimiter belongs to the delimiter (RFC 2046, 5.1.1); the first needs none, as there is no
  // preamble.
  if (!first) writer.append(line_end);
  writer.append(dashes);
  writer.append(boundary.view());
  writer.append(line_end);
  writer.append(content_type);
  writer.append(media_type);
  writer.append(line_end);
  writer.append(content_range);
  writer.append(range.first);
  writer.append("-");
  writer.append(range.last);
  writer.append("/");
  writer.append(size);
  writer.append(head_end);
  return writer.size();
}

std::size_t write_multipart_end(std::span<char, multipart_end_length> out, const Boundary& boundary) noexcept {
  HeaderWriter writer(out);
  writer.append(line_end);
  writer.append(dashes);
  writer.append(boundary.view());
  writer.append(dashes);
  writer.append(line_end);
  return writer.size();
}

std::optional<std::uint64_t> multipart_length(std::span<const ByteRange> ranges, std::uint64_t size,
                                              std::string_view media_type) noexcept {
  std::uint64_t total = multipart_end_length;
  bool first = true;
  for (const ByteRange& range : ranges) {
    if (__builtin_add_overflow(total, part_head_length(first, range, size, media_type), &total) ||
        __builtin_add_overflow(total, range.length(), &total)) {
      return std::nullopt;
    }
    first = false;
  }
  return total;
}

}  // namespace ranged::http
