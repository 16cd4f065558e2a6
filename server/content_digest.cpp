#include "server/content_digest.hpp"

#include "server/wire_encoding.hpp"

#include <ranged/scan/digest.hpp>

#include <array>
#include <memory>
#include <utility>
#include <vector>

namespace ranged::server {

namespace {

/// Bytes that are hashed before others have their turn, whatever the size of a page.
constexpr std::size_t slice_bytes = std::size_t{64} << 10;

unsigned nibble(char digit) noexcept {
  return static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

}  // namespace

std::string render_content_digest(http::DigestAlgorithm algorithm, std::string_view hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(nibble(hex[i]) << 4U | nibble(hex[i + 1])));
  }
  std::string encoded((bytes.size() + 2) / 3 * 4, '\0');
  const std::array<std::span<const std::byte>, 1> stretches{bytes};
  encode_base64(stretches, bytes.size(), encoded);
  std::string field(http::digest_name(algorithm));
  field += "=:";
  field += encoded;
  field += ':';
  return field;
}

Task<boost::system::error_code> compute_content_digest(SendContext context, std::uint64_t offset, std::uint64_t length,
                                                       http::DigestAlgorithm algorithm, std::string* field) {
  const std::unique_ptr<Digest> digest = Digest::create(http::digest_name(algorithm));
  field->clear();
  if (digest == nullptr) co_return boost::system::error_code{};  // a wish may be ignored
  context.connection->set_deadline(Clock::time_point::max());    // nothing is waited for but pages
  PinnedWindow& window = context.scratch->window;
  ArrivedPage arrived;
  if (length > 0) context.reader->begin(offset, length);
  for (std::uint64_t done = 0; done < length;) {
    window.clear();
    const boost::system::result<std::size_t> gathered =
        context.reader->gather(offset + done, length - done, slice_bytes, window, std::move(arrived.guard));
    if (!gathered) co_return gathered.error();
    if (*gathered == 0) {
      const boost::system::error_code error = co_await await_page(context, offset + done, &arrived);
      if (error) co_return error;
      continue;
    }
    if (const boost::system::error_code error = context.reader->confirm(window)) co_return error;
    for (const std::span<const std::byte> bytes : window.stretches()) digest->update(bytes);
    window.clear();
    done += *gathered;
    if (done < length) co_await yield_turn();
  }
  *field = render_content_digest(algorithm, digest->finish());
  co_return boost::system::error_code{};
}

}  // namespace ranged::server
