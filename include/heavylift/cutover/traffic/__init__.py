"""Who answers live requests: adapters that split them between the two sides, behind one port."""
