/**
 * The framing of TensorBoard's event files (TFRecord): length as 8 bytes little endian, its masked CRC-32C, the data,
 * its masked CRC-32C.
 *
 * A file is read while it is written, so its end may be torn: what is not whole yet is left for the next time. A record
 * whose data is damaged is skipped. A damaged length means that nobody knows where the next record begins, and the file
 * is given up, as TensorBoard itself does. A record too large for us (an image, a graph) is stepped over unread.
 */

/** CRC-32C (Castagnoli), by tables. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** The CRC as TFRecord stores it: rotated and added to, so that a CRC of data that holds CRCs stays good. */
export function maskedCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 0xff]!;
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

const headerBytes = 12;
const footerBytes = 4;

export interface RecordPage {
  /** Where to read on. */
  readonly next: number;
  /** Records whose data was damaged. */
  readonly damaged: number;
  /** The framing is broken at `next`. */
  readonly broken: boolean;
}

/**
 * Takes whole records out of a part of a file.
 *
 * @param bytes the part, which begins at `offset` with a record
 * @param size of the whole file
 * @param take is handed each whole record; false: no more of them now
 */
export function readRecords(
  bytes: Buffer,
  offset: number,
  size: number,
  take: (record: Buffer) => boolean,
): RecordPage {
  let damaged = 0;
  let at = 0;
  while (at + headerBytes <= bytes.length) {
    if (bytes.readUInt32LE(at + 8) !== maskedCrc(bytes.subarray(at, at + 8))) {
      return { next: offset + at, damaged, broken: true };
    }
    const length = bytes.readBigUInt64LE(at);
    const end = BigInt(offset + at + headerBytes + footerBytes) + length;
    // Not all there yet.
    if (end > BigInt(size)) break;
    const stop = Number(end) - offset;
    if (stop > bytes.length) {
      // Whole in the file, but not in this part: read it next time as the first, or step over it when it is that already.
      return { next: at === 0 ? Number(end) : offset + at, damaged, broken: false };
    }
    const data = bytes.subarray(at + headerBytes, stop - footerBytes);
    at = stop;
    if (bytes.readUInt32LE(stop - footerBytes) !== maskedCrc(data)) damaged += 1;
    else if (!take(data)) break;
  }
  return { next: offset + at, damaged, broken: false };
}
