/** Every bound of the providers' side, and what is at it. */

/** Bytes of one server-sent event: an image that a provider drew may come in one. Beyond: `ModelStreamError`. */
export const maxEventBytes = 32 * 1024 * 1024

/** Bytes held back of one answer until it is judged, and kept of it to be asked again. Beyond: `ModelStreamError`. */
export const maxHeldBytes = 32 * 1024 * 1024

/** Times that one request is asked, whatever the governor says. Beyond: the answer's calls are taken out. */
export const maxAttempts = 32

/** Stored answers of which it is remembered what was taken out. Beyond: the oldest is forgotten. */
export const maxWithheld = 1_000

/** Errors under way between the governed fetch and the client that turns them back. Beyond: the oldest is forgotten. */
export const maxRefusals = 1_000
