/**
 * The smallest program there is: it ends, with status 0. A node tries its containers with it before it offers them, and
 * needs no image, no library and no compiler for that.
 *
 * An ELF header, one program header and a few instructions of exit(0); layouts from elf(5), system call numbers from the
 * kernel's tables for the two families that Node runs on.
 */
import { chmodSync, writeFileSync } from 'node:fs';

const BASE = 0x400000n;
const HEADERS = 64 + 56;

const FAMILIES: Readonly<Record<string, { machine: number; code: readonly number[] }>> = {
  // mov eax, 60; xor edi, edi; syscall
  x64: { machine: 62, code: [0xb8, 0x3c, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05] },
  // mov x0, #0; mov x8, #93; svc #0
  arm64: { machine: 183, code: [0x00, 0x00, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4] },
};

/** @param arch Node's name, such as `x64` @throws Error for a family that it is not written for */
export function stillProgram(arch: string = process.arch): Buffer {
  const family = FAMILIES[arch];
  if (family === undefined) throw new Error(`containers were not tried on ${arch}`);
  const file = Buffer.alloc(HEADERS + family.code.length);
  // e_ident: 64 bits, little-endian, version 1
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1], 0);
  file.writeUInt16LE(2, 16); // ET_EXEC
  file.writeUInt16LE(family.machine, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BASE + BigInt(HEADERS), 24); // entry
  file.writeBigUInt64LE(64n, 32); // program headers
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64); // PT_LOAD
  file.writeUInt32LE(5, 68); // readable, executable
  file.writeBigUInt64LE(BASE, 80);
  file.writeBigUInt64LE(BASE, 88);
  file.writeBigUInt64LE(BigInt(file.length), 96);
  file.writeBigUInt64LE(BigInt(file.length), 104);
  file.writeBigUInt64LE(4096n, 112);
  file.set(family.code, HEADERS);
  return file;
}

/** Writes it where anybody may run it. */
export function writeStillProgram(path: string): void {
  writeFileSync(path, stillProgram());
  chmodSync(path, 0o755);
}
