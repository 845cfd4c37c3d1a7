/**
 * Text frames as bytes (RFC 6455, 5.2: final, unmasked, as servers send), header and text in one buffer.
 *
 * The library makes a header and a copy of the text for each socket and sends both by a `writev`. What fifty people of a tenant are
 * told is mostly the same text, one after the other, so the last frame is kept: it is made once, and each socket takes
 * one write of bytes that nobody changes.
 */

const finalText = 0x81;
/** A long text is a snapshot, which is sent once; it is not kept in memory for that. */
const mostKept = 65_536;

let last: { readonly text: string; readonly frame: Buffer } = { text: '', frame: Buffer.alloc(0) };

/** The frame of a text. The same buffer may be returned again: it must not be changed. */
export function textFrame(text: string): Buffer {
  if (last.text === text && text !== '') return last.frame;
  const frame = makeFrame(text);
  if (text.length <= mostKept) last = { text, frame };
  return frame;
}

function makeFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = finalText;
  if (head === 2) frame[1] = length;
  else if (head === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, head);
  return frame;
}
