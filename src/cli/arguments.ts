/** Parsers of option values; what does not fit is refused by the command line, with what would be right. */
import { InvalidArgumentError, Option } from 'commander';

/** A whole number from `least` to `most`. */
export const whole =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
    }
    return value;
  };

/** A number from `least` to `most`. */
export const decimal =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= least && value <= most)) {
      throw new InvalidArgumentError(`Expected a number from ${least} to ${most}.`);
    }
    return value;
  };

/** A port, 0–65535; 0 takes a free one. */
export const port = whole(0, 65_535);

/** An option that takes one of some words. */
export const oneOf = (flags: string, description: string, words: readonly string[]): Option =>
  new Option(flags, description).choices([...words]);
