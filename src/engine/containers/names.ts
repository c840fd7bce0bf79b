import { randomBytes, randomInt } from 'node:crypto';
import { EngineError } from '../../stdx/errors.ts';

/** 64 hex digits, never one that starts with 12 digits only: it would read as a number in some clients. */
export function newId(): string {
  for (;;) {
    const id = randomBytes(32).toString('hex');
    if (!/^\d{12}/.test(id)) return id;
  }
}

/** @throws invalid, in Docker's words */
export function requireValidName(name: string, quoted = name): void {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) return;
  throw new EngineError(
    'invalid',
    `Invalid container name (${quoted}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
  );
}

const adjectives =
  'able agile amber ample apt arctic azure bold brave breezy bright brisk calm candid chief civil clean clear clever cool cosy crisp curious daring deft eager early earnest easy even fair fancy fast fine firm fleet fond frank free fresh gentle glad golden good grand great happy hardy hearty honest humble ideal jolly just keen kind late level light lively loyal lucid lucky lunar mellow merry mighty mild modest neat nimble noble novel open patient plain polite prime proud pure quick quiet ready rapid rare robust rosy royal serene sharp silent simple sleek smart smooth snug solar solid sound stable steady still stout subtle sunny sure swift tidy tough trim true trusty upbeat valid vast vivid warm wise witty young zesty'.split(
    ' ',
  );
const nouns =
  'anchor anvil arch barge basin bay beacon berth boom bow bridge buoy cable canal capstan cargo cleat cliff coast compass cove crane crate current davit deck delta derrick dock dolphin drum dune estuary fender ferry fjord fleet forge freight galley gangway gantry gauge girder grain gull harbor hatch haven hawser heron hoist hold hook hull inlet island jetty keel kelp kite knot ladder lagoon lantern latch ledge lever lighthouse lock locker mast moor mooring oar osprey outrigger packet pallet pelican pier pilot plover port prow pulley quay raft rail ramp reef ridge rigging ropewalk rudder sail schooner shoal shore signal skiff sling slip sloop spar stern tackle tern tide tiller tower trawler trolley trunk tug wake warehouse wharf winch windlass yard'.split(
    ' ',
  );

/** A name such as `brisk_heron` that `isTaken` does not know; with a digit when the plain ones run short. */
export function randomName(isTaken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt++) {
    const base = `${adjectives[randomInt(adjectives.length)]}_${nouns[randomInt(nouns.length)]}`;
    const name = attempt < 6 ? base : `${base}${randomInt(10 ** Math.min(9, attempt - 5))}`;
    if (!isTaken(name)) return name;
  }
}
