/**
 * The nonce under which the page may add style elements: the server makes a new one for each page it sends. Scripts have
 * none, so a leaked nonce lets nobody run code.
 */
const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? '';

// Where the scroll lock of Mantine's dialogs (package get-nonce) looks for it.
(globalThis as { __webpack_nonce__?: string }).__webpack_nonce__ = nonce;

export const styleNonce = (): string => nonce;
