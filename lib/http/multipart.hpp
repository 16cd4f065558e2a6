#pragma once
// multipart/byteranges (RFC 9110, 14.6; RFC 2046, 5.1.1): the framing around the parts, and its exact length.

#include <ranged/http/range_header.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace ranged::http {

/// The boundary between parts: 128 bits in hexadecimal, so that it is a token and needs no quotes, and of one length,
/// so that lengths can be told before it is chosen.
struct Boundary {
  static constexpr std::size_t size = 32;
  std::array<char, size> text{};

  [[nodiscard]] std::string_view view() const noexcept { return {text.data(), text.size()}; }
};

/// 128 bits that nobody can foretell: a boundary that could be foretold could be put into a file. With them, a boundary
/// occurs by chance in a file of 2^63 bytes once in 2^65 times, which is why the file is not searched for it.
using BoundaryBits = std::array<std::uint64_t, 2>;

[[nodiscard]] Boundary make_boundary(const BoundaryBits& bits) noexcept;

/// A media type longer than this goes out as application/octet-stream: RFC 6838, 4.2 allows 127 for type and for
/// subtype.
inline constexpr std::size_t max_media_type_length = 255;

/// The longest head of a part: CRLF, delimiter, Content-Type and Content-Range, empty line.
inline constexpr std::size_t max_part_head_length =
    2 + 2 + Boundary::size + 2 + 14 + max_media_type_length + 2 + 21 + 20 + 1 + 20 + 1 + 20 + 4;

/// The close delimiter with the line ends around it.
inline constexpr std::size_t multipart_end_length = 2 + 2 + Boundary::size + 2 + 2;

/// Length in bytes of what write_part_head() writes. `first`: the part is the first of its body, which no line end
/// precedes.
[[nodiscard]] std::size_t part_head_length(bool first, const ByteRange& range, std::uint64_t size,
                                           std::string_view media_type) noexcept;

/// Writes the delimiter and the fields of a part, up to where its bytes begin. `media_type` is at most
/// max_media_type_length long, `size` is the file's. Returns the bytes written.
[[nodiscard]] std::size_t write_part_head(std::span<char, max_part_head_length> out, const Boundary& boundary,
                                          bool first, const ByteRange& range, std::uint64_t size,
                                          std::string_view media_type) noexcept;

/// Writes what follows the last part. Returns multipart_end_length.
[[nodiscard]] std::size_t write_multipart_end(std::span<char, multipart_end_length> out,
                                              const Boundary& boundary) noexcept;

/// Length in bytes of the whole body, framing and all; nullopt when it is beyond 2^64 - 1, which no file can bring
/// about (off_t ends at 2^63 - 1). Cost: O(ranges).
[[nodiscard]] std::optional<std::uint64_t> multipart_length(std::span<const ByteRange> ranges, std::uint64_t size,
                                                            std::string_view media_type) noexcept;

}  // namespace ranged::http
