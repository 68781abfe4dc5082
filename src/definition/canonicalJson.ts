/** The identity of a definition: its canonical JSON, and the sha256 of it. */
import { hash } from "node:crypto"

export { canonicalJson } from "../machines/canonical.ts"

/** Lowercase hex. The one-shot hash makes no native object for the garbage collector to finalise. */
export const sha256Hex = (text: string): string => hash("sha256", text, "hex")
