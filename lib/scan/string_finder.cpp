#include <ranged/scan/string_finder.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace ranged {
namespace {

enum class Kind : std::uint8_t { other, printable, zero };

constexpr std::array<Kind, 256> make_kinds() {
  std::array<Kind, 256> kinds{};
  for (std::size_t i = 0x20; i < 0x7f; ++i) kinds[i] = Kind::printable;
  kinds['\t'] = Kind::printable;
  kinds[0] = Kind::zero;
  return kinds;
}
constexpr std::array<Kind, 256> kinds = make_kinds();

}  // namespace

StringFinder::StringFinder(std::size_t min, std::uint64_t offset, std::size_t capacity, std::uint64_t keep)
    : min_(min), capacity_(capacity), keep_(keep), next_(offset) {
  found_.reserve(capacity + 2);
}

void StringFinder::add(FoundString string) {
  if (count_ < keep_) found_.push_back(std::move(string));
  ++count_;
}

void StringFinder::end_ascii() {
  if (ascii_length_ >= min_) {
    add({next_ - ascii_length_, ascii_length_, StringEncoding::ascii,
         std::string(ascii_text_.data(), static_cast<std::size_t>(std::min<std::uint64_t>(ascii_length_, max_text)))});
  }
  ascii_length_ = 0;
}

void StringFinder::end_wide() {
  // Pairs of a printable byte and a zero after it, and before it.
  const std::uint64_t little = (wide_length_ - (wide_begins_with_zero_ && wide_length_ > 0 ? 1 : 0)) / 2;
  const std::uint64_t big = (wide_length_ - (!wide_begins_with_zero_ && wide_length_ > 0 ? 1 : 0)) / 2;
  const std::uint64_t begin = next_ - wide_length_;
  const std::uint64_t little_begin = begin + (wide_begins_with_zero_ ? 1 : 0);
  const std::uint64_t big_begin = begin + (wide_begins_with_zero_ ? 0 : 1);
  const bool is_big = big != little ? big > little : big_begin % 2 == 0;
  const std::uint64_t characters = is_big ? big : little;
  if (characters >= min_) {
    // A big-endian run that begins with a printable byte leaves that one out.
    const std::size_t first = is_big && !wide_begins_with_zero_ ? 1 : 0;
    add({is_big ? big_begin : little_begin, characters * 2,
         is_big ? StringEncoding::utf_16be : StringEncoding::utf_16le,
         std::string(wide_text_.data() + first,
                     static_cast<std::size_t>(std::min<std::uint64_t>(characters, max_text)))});
  }
  wide_length_ = 0;
  wide_text_size_ = 0;
}

std::size_t StringFinder::take(std::span<const std::byte> bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (found_.size() >= capacity_) return i;
    const auto byte = static_cast<std::uint8_t>(bytes[i]);
    const Kind kind = kinds[byte];
    if (kind == Kind::printable) {
      if (ascii_length_ < max_text) ascii_text_[static_cast<std::size_t>(ascii_length_)] = static_cast<char>(byte);
      ++ascii_length_;
    } else if (ascii_length_ > 0) {
      end_ascii();
    }
    const bool is_zero = kind == Kind::zero;
    if (wide_length_ > 0 && (kind == Kind::other || is_zero == last_was_zero_)) end_wide();
    if (kind != Kind::other) {
      if (wide_length_ == 0) wide_begins_with_zero_ = is_zero;
      ++wide_length_;
      if (!is_zero && wide_text_size_ < wide_text_.size()) wide_text_[wide_text_size_++] = static_cast<char>(byte);
      last_was_zero_ = is_zero;
    }
    ++next_;
  }
  return bytes.size();
}

std::uint64_t StringFinder::take_zeros(std::uint64_t count) {
  static constexpr std::array<std::byte, 2> zeros{};
  std::uint64_t taken = 0;
  // The first may belong to text before, the last to text behind; those between are nothing.
  const auto ends = [&] { return static_cast<std::size_t>(std::min<std::uint64_t>(count - taken, zeros.size())); };
  while (taken < count && taken < zeros.size()) {
    const std::size_t now = take(std::span(zeros).first(ends()));
    if (now == 0) return taken;
    taken += now;
  }
  // Two zeros in a row have ended every run but one that begins with the second: it would begin with the last instead.
  next_ += count - taken;
  return count;
}

void StringFinder::finish() {
  end_ascii();
  end_wide();
}

}  // namespace ranged
