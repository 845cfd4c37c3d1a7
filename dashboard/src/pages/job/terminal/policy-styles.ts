/**
 * Lets xterm.js style itself under the page's policy, which takes styles only under its nonce and through the style objects of
 * elements. xterm.js adds `<style>` elements and writes `style` attributes, and makes all of them by `document.createElement`
 * (its option `documentOverride` does not reach them). So while a terminal is on the page, what is made there does both the allowed
 * way. Only scripts of this origin run here, and they may add styles anyway.
 */
import { styleNonce } from '../../../app/style-nonce.ts';

let terminals = 0;

/** Begins; returns how to stop. */
export function allowTerminalStyles(): () => void {
  terminals += 1;
  if (terminals === 1) document.createElement = createElement as typeof document.createElement;
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    terminals -= 1;
    // The one of the prototype is there again.
    if (terminals === 0) delete (document as { createElement?: unknown }).createElement;
  };
}

function createElement(name: string, options?: ElementCreationOptions): HTMLElement {
  const element = Document.prototype.createElement.call(document, name, options);
  if (name === 'style') element.nonce = styleNonce();
  if (name === 'span') element.setAttribute = setAttribute;
  return element;
}

function setAttribute(this: HTMLElement, name: string, value: string): void {
  if (name === 'style') this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
}
