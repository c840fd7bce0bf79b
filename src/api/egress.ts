/** Gantry's own: `GET /gantry/networks/{id}/egress`. */
export interface NetworkEgress {
  /** Whether there is a list; without one everything outside may be reached. */
  Limited: boolean;
  /** Names (`*.example.org` too) and subnets. */
  Allowed: string[];
  /** What the names stand for at present. */
  Addresses: { Name: string; Address: string; Expires: string }[];
  Refused: RefusedEgress[];
}

/** Packets, or questions for a name, that were refused; the last ones first. */
export interface RefusedEgress {
  /** Name of the container, or its address when nobody has that any more. */
  Container: string;
  /** `198.51.100.7:443/tcp`, `198.51.100.7/icmp` or a name. */
  Destination: string;
  Count: number;
  Last: string;
}

/** `POST /gantry/networks/{id}/egress`: entries more, entries less, or no list any more. */
export interface NetworkEgressRequest {
  Allow?: string[];
  Remove?: string[];
  Unlimited?: boolean;
}
