import { closeSync, openSync, readSync } from 'node:fs';

const blockMagic = 0x314159265359n;
const endMagic = 0x177245385090n;
const pieceSize = 64 * 1024;
const maxCodeLength = 20;
const symbolsPerSelector = 50;

class DamagedBzip2 extends Error {
  override readonly name = 'DamagedBzip2';
}

/** Reads a file bit by bit, most significant first. */
class BitReader {
  readonly #file: number;
  readonly #buffer = Buffer.allocUnsafe(pieceSize);
  #length = 0;
  #position = 0;
  #bits = 0;
  #bitCount = 0;

  constructor(file: number) {
    this.#file = file;
  }

  #nextByte(): number {
    if (this.#position === this.#length) {
      this.#length = readSync(this.#file, this.#buffer, 0, this.#buffer.length, null);
      this.#position = 0;
      if (this.#length === 0) {
        throw new DamagedBzip2('it ends too early');
      }
    }
    const byte = this.#buffer[this.#position] ?? 0;
    this.#position += 1;
    return byte;
  }

  /** @param count 1 to 24 */
  read(count: number): number {
    while (this.#bitCount < count) {
      this.#bits = ((this.#bits << 8) | this.#nextByte()) & 0xffffffff;
      this.#bitCount += 8;
    }
    this.#bitCount -= count;
    const value = (this.#bits >>> this.#bitCount) & ((1 << count) - 1);
    this.#bits &= (1 << this.#bitCount) - 1;
    return value;
  }

  read48(): bigint {
    return (BigInt(this.read(24)) << 24n) | BigInt(this.read(24));
  }

  read32(): number {
    return this.read(16) * 0x10000 + this.read(16);
  }

  alignToByte(): void {
    this.#bitCount -= this.#bitCount % 8;
  }

  isAtEnd(): boolean {
    if (this.#bitCount >= 8) {
      return false;
    }
    if (this.#position === this.#length) {
      this.#length = readSync(this.#file, this.#buffer, 0, this.#buffer.length, null);
      this.#position = 0;
    }
    return this.#length === 0;
  }
}

/** Canonical Huffman code as limits per length, so that a symbol is found without a tree. */
interface Code {
  readonly limit: Int32Array;
  readonly base: Int32Array;
  readonly symbols: Uint16Array;
}

function makeCode(lengths: Uint8Array): Code {
  const counts = new Int32Array(maxCodeLength + 2);
  for (const length of lengths) {
    counts[length] = (counts[length] ?? 0) + 1;
  }
  const limit = new Int32Array(maxCodeLength + 2).fill(-1);
  const base = new Int32Array(maxCodeLength + 2);
  const symbols = new Uint16Array(lengths.length);
  let code = 0;
  let index = 0;
  for (let length = 1; length <= maxCodeLength; length += 1) {
    base[length] = index - code;
    for (let symbol = 0; symbol < lengths.length; symbol += 1) {
      if (lengths[symbol] === length) {
        symbols[index] = symbol;
        index += 1;
      }
    }
    code += counts[length] ?? 0;
    limit[length] = code - 1;
    code <<= 1;
  }
  return { limit, base, symbols };
}

function readSymbol(bits: BitReader, code: Code): number {
  let value = 0;
  for (let length = 1; length <= maxCodeLength; length += 1) {
    value = (value << 1) | bits.read(1);
    if (value <= (code.limit[length] ?? -1)) {
      const symbol = code.symbols[value + (code.base[length] ?? 0)];
      if (symbol !== undefined) {
        return symbol;
      }
    }
  }
  throw new DamagedBzip2('it has an unknown code');
}

function readUsedBytes(bits: BitReader): Uint8Array {
  const groups = bits.read(16);
  const used: number[] = [];
  for (let group = 0; group < 16; group += 1) {
    if ((groups & (0x8000 >>> group)) !== 0) {
      const members = bits.read(16);
      for (let member = 0; member < 16; member += 1) {
        if ((members & (0x8000 >>> member)) !== 0) {
          used.push(group * 16 + member);
        }
      }
    }
  }
  return Uint8Array.from(used);
}

function readSelectors(bits: BitReader, codeCount: number): Uint8Array {
  const order = Array.from({ length: codeCount }, (_, index) => index);
  const selectors = new Uint8Array(bits.read(15));
  for (let index = 0; index < selectors.length; index += 1) {
    let position = 0;
    while (bits.read(1) === 1) {
      position += 1;
      if (position >= codeCount) {
        throw new DamagedBzip2('it has a wrong selector');
      }
    }
    const [selected = 0] = order.splice(position, 1);
    order.unshift(selected);
    selectors[index] = selected;
  }
  return selectors;
}

function readCodes(bits: BitReader, codeCount: number, symbolCount: number): Code[] {
  return Array.from({ length: codeCount }, () => {
    const lengths = new Uint8Array(symbolCount);
    let length = bits.read(5);
    for (let symbol = 0; symbol < symbolCount; symbol += 1) {
      for (;;) {
        if (length < 1 || length > maxCodeLength) {
          throw new DamagedBzip2('it has a wrong code length');
        }
        if (bits.read(1) === 0) {
          break;
        }
        length += bits.read(1) === 0 ? 1 : -1;
      }
      lengths[symbol] = length;
    }
    return makeCode(lengths);
  });
}

/** Undoes Huffman coding, zero runs and move-to-front; the low byte of each element is a byte of the block. */
function readTransformed(bits: BitReader, block: Uint32Array): { length: number; origin: number } {
  if (bits.read(1) === 1) {
    throw new DamagedBzip2('it uses an obsolete form (randomised blocks)');
  }
  const origin = bits.read(24);
  const recent = readUsedBytes(bits);
  const codeCount = bits.read(3);
  if (codeCount < 2 || codeCount > 6 || recent.length === 0) {
    throw new DamagedBzip2('a block header is wrong');
  }
  const selectors = readSelectors(bits, codeCount);
  const codes = readCodes(bits, codeCount, recent.length + 2);
  const endOfBlock = recent.length + 1;
  let length = 0;
  let runLength = 0;
  let runWeight = 1;
  const put = (byte: number, count: number): void => {
    if (length + count > block.length) {
      throw new DamagedBzip2('a block is too long');
    }
    block.fill(byte, length, length + count);
    length += count;
  };
  for (let index = 0; ; index += 1) {
    const code = codes[selectors[Math.floor(index / symbolsPerSelector)] ?? codeCount];
    if (!code) {
      throw new DamagedBzip2('it has too few selectors');
    }
    const symbol = readSymbol(bits, code);
    if (symbol <= 1) {
      runLength += runWeight << symbol;
      runWeight <<= 1;
      if (runLength > block.length) {
        throw new DamagedBzip2('a block is too long');
      }
      continue;
    }
    put(recent[0] ?? 0, runLength);
    runLength = 0;
    runWeight = 1;
    if (symbol === endOfBlock) {
      break;
    }
    const byte = recent[symbol - 1] ?? 0;
    recent.copyWithin(1, 0, symbol - 1);
    recent[0] = byte;
    put(byte, 1);
  }
  if (origin >= length) {
    throw new DamagedBzip2('a block points outside of itself');
  }
  return { length, origin };
}

/** Links each element to its successor in the text (upper 24 bits). */
function linkBlock(block: Uint32Array, length: number): void {
  const starts = new Uint32Array(256);
  for (let index = 0; index < length; index += 1) {
    const byte = (block[index] ?? 0) & 0xff;
    starts[byte] = (starts[byte] ?? 0) + 1;
  }
  let sum = 0;
  for (let byte = 0; byte < 256; byte += 1) {
    const count = starts[byte] ?? 0;
    starts[byte] = sum;
    sum += count;
  }
  for (let index = 0; index < length; index += 1) {
    const byte = (block[index] ?? 0) & 0xff;
    const place = starts[byte] ?? 0;
    starts[byte] = place + 1;
    block[place] = ((block[place] ?? 0) | (index << 8)) >>> 0;
  }
}

const crcTable = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index << 24;
  for (let bit = 0; bit < 8; bit += 1) {
    value = (value & 0x80000000) === 0 ? value << 1 : (value << 1) ^ 0x04c11db7;
  }
  return value >>> 0;
});

/** Gives the text of a block in small pieces, so that a bomb is noticed before it is in memory. */
function* blockText(block: Uint32Array, length: number, origin: number, expectedCrc: number): Generator<Buffer> {
  let piece = Buffer.allocUnsafe(pieceSize);
  let filled = 0;
  let crc = 0xffffffff;
  let repeats = 0;
  let previous = -1;
  let position = (block[origin] ?? 0) >>> 8;
  for (let index = 0; index < length; index += 1) {
    const element = block[position] ?? 0;
    const byte = element & 0xff;
    position = element >>> 8;
    let count = 1;
    let value = byte;
    if (repeats === 4) {
      // after four equal bytes the next one says how many more of them follow
      count = byte;
      value = previous;
      repeats = 0;
      previous = -1;
    } else {
      repeats = byte === previous ? repeats + 1 : 1;
      previous = byte;
    }
    for (; count > 0; count -= 1) {
      crc = ((crc << 8) ^ (crcTable[((crc >>> 24) ^ value) & 0xff] ?? 0)) >>> 0;
      piece[filled] = value;
      filled += 1;
      if (filled === pieceSize) {
        yield piece;
        piece = Buffer.allocUnsafe(pieceSize);
        filled = 0;
      }
    }
  }
  if (filled > 0) {
    yield piece.subarray(0, filled);
  }
  if (~crc >>> 0 !== expectedCrc) {
    throw new DamagedBzip2('a checksum does not match');
  }
}

/**
 * Decompresses a bzip2 file piece by piece (at most 64 KiB each); concatenated streams are joined.
 * @param path file that starts with `BZh`
 * @throws Error when the file is damaged
 */
export function* bunzip2(path: string): Generator<Buffer> {
  const file = openSync(path, 'r');
  try {
    const bits = new BitReader(file);
    do {
      if (bits.read(24) !== 0x425a68) {
        throw new DamagedBzip2('it is not a bzip2 file');
      }
      const level = bits.read(8) - 0x30;
      if (level < 1 || level > 9) {
        throw new DamagedBzip2('its header is wrong');
      }
      const block = new Uint32Array(level * 100_000);
      for (;;) {
        const magic = bits.read48();
        const crc = bits.read32();
        if (magic === endMagic) {
          break;
        }
        if (magic !== blockMagic) {
          throw new DamagedBzip2('a block header is wrong');
        }
        const { length, origin } = readTransformed(bits, block);
        linkBlock(block, length);
        yield* blockText(block, length, origin, crc);
      }
      bits.alignToByte();
    } while (!bits.isAtEnd());
  } finally {
    closeSync(file);
  }
}
